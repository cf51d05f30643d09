// Podfile: use_frameworks! and pod 'TensorFlowLiteSwift', '~> 2.17.0'
// Add model.tflite, this file and ModelInput.swift to the app's target.
import TensorFlowLite
import UIKit

final class Segmenter {
  private let interpreter: Interpreter
  private let classes = __LABELS__

  init() throws { interpreter = try loadModel() }

  /// Row by row, side x side: the class of each pixel, its line in labels.txt counted from 0.
  func segment(_ picture: UIImage) throws -> [Int] {
    let probabilities = try run(interpreter, on: picture)
    return (0..<(side * side)).map { pixel in
      (0..<classes).max { probabilities[pixel * classes + $0] < probabilities[pixel * classes + $1] }!
    }
  }
}
