// Podfile: use_frameworks! and pod 'TensorFlowLiteSwift', '~> 2.17.0'
// Add model.tflite, labels.txt, this file and ModelInput.swift to the app's target.
import TensorFlowLite
import UIKit

final class Classifier {
  private static let unknownBelow: Float32 = __UNKNOWN__
  private let interpreter: Interpreter
  private let labels: [String]

  init() throws {
    interpreter = try loadModel()
    let path = Bundle.main.path(forResource: "labels", ofType: "txt")!
    let lines = try String(contentsOfFile: path, encoding: .utf8).components(separatedBy: "\n")
    labels = Array(lines.prefix(__LABELS__))
  }

  /// Each label with its probability, the likeliest first. Of answers with 0.8, about 8 in 10 are right.
  func classify(_ picture: UIImage) throws -> [(label: String, probability: Float32)] {
    let probabilities = try run(interpreter, on: picture)
    return zip(labels, probabilities).map { (label: $0, probability: $1) }.sorted { $0.probability > $1.probability }
  }

  /// What to show for the answer of `classify`: its likeliest label, or "unknown" if none is likely enough.
  static func labelToShow(_ answer: [(label: String, probability: Float32)]) -> String {
    answer[0].probability < unknownBelow ? "unknown" : answer[0].label
  }
}
