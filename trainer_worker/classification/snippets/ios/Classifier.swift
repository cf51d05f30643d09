// Podfile: use_frameworks! and pod 'TensorFlowLiteSwift', '~> 2.17.0'
// Add model.tflite, labels.txt, this file and ModelInput.swift to the app's target.
import TensorFlowLite
import UIKit

final class Classifier {
  private let interpreter: Interpreter
  private let labels: [String]

  init() throws {
    interpreter = try loadModel()
    let path = Bundle.main.path(forResource: "labels", ofType: "txt")!
    let lines = try String(contentsOfFile: path, encoding: .utf8).components(separatedBy: "\n")
    labels = Array(lines.prefix(__LABELS__))
  }

  /// Each label with its probability, the likeliest first.
  func classify(_ picture: UIImage) throws -> [(label: String, probability: Float32)] {
    let probabilities = try run(interpreter, on: picture)
    return zip(labels, probabilities).map { (label: $0, probability: $1) }.sorted { $0.probability > $1.probability }
  }
}
