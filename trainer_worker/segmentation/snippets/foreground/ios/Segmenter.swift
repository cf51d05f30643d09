// Podfile: use_frameworks! and pod 'TensorFlowLiteSwift', '~> 2.17.0'
// Add model.tflite, this file and ModelInput.swift to the app's target.
import TensorFlowLite
import UIKit

final class Segmenter {
  private let interpreter: Interpreter

  init() throws { interpreter = try loadModel() }

  /// Row by row, side x side: true where foreground is.
  func segment(_ picture: UIImage) throws -> [Bool] {
    try run(interpreter, on: picture).map { $0 > __THRESHOLD__ }
  }
}
