import TensorFlowLite
import UIKit

/// Prepares pictures for the model: squashed to side x side pixels, red green blue, values 0 to 255.
let side = __SIDE__

func toInput(_ picture: UIImage) -> Data {
  let context = CGContext(
    data: nil, width: side, height: side, bitsPerComponent: 8, bytesPerRow: 4 * side,
    space: CGColorSpace(name: CGColorSpace.sRGB)!, bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue)!
  context.interpolationQuality = .high
  context.translateBy(x: 0, y: CGFloat(side))  // UIKit counts from the top, Core Graphics from the bottom
  context.scaleBy(x: 1, y: -1)
  let box = CGRect(x: 0, y: 0, width: side, height: side)
  UIGraphicsPushContext(context)
  UIColor.white.setFill()  // behind transparent pictures, as in the training
  UIRectFill(box)
  picture.draw(in: box)  // turns the photo upright by itself
  UIGraphicsPopContext()

  let rgbx = context.data!.assumingMemoryBound(to: UInt8.self)
  var rgb: [Float32] = []
  rgb.reserveCapacity(3 * side * side)
  for pixel in 0..<(side * side) {
    for channel in 0..<3 { rgb.append(Float32(rgbx[4 * pixel + channel])) }
  }
  return rgb.withUnsafeBufferPointer { Data(buffer: $0) }
}

func loadModel() throws -> Interpreter {
  let path = Bundle.main.path(forResource: "model", ofType: "tflite")!
  let interpreter = try Interpreter(modelPath: path)
  try interpreter.allocateTensors()
  return interpreter
}

func run(_ interpreter: Interpreter, on picture: UIImage) throws -> [Float32] {
  try interpreter.copy(toInput(picture), toInputAt: 0)
  try interpreter.invoke()
  return try interpreter.output(at: 0).data.withUnsafeBytes { Array($0.bindMemory(to: Float32.self)) }
}
