import android.content.Context
import android.graphics.Bitmap
import org.tensorflow.lite.Interpreter
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** Prepares pictures for the model: squashed to SIDE x SIDE pixels, red green blue, values 0 to 255. */
const val SIDE = __SIDE__

/** The bitmap must stand upright (BitmapFactory ignores a photo's EXIF orientation) and not be of Config.HARDWARE. */
fun toInput(picture: Bitmap): ByteBuffer {
    var small = picture
    // Halved step by step, because a single step would skip most pixels of a large photo. The training skipped none.
    while (small.width >= 2 * SIDE && small.height >= 2 * SIDE) {
        small = Bitmap.createScaledBitmap(small, small.width / 2, small.height / 2, true)
    }
    val pixels = IntArray(SIDE * SIDE)
    Bitmap.createScaledBitmap(small, SIDE, SIDE, true).getPixels(pixels, 0, SIDE, 0, 0, SIDE, SIDE)
    val input = ByteBuffer.allocateDirect(4 * 3 * SIDE * SIDE).order(ByteOrder.nativeOrder())
    for (pixel in pixels) {
        input.putFloat((pixel shr 16 and 0xFF).toFloat())
        input.putFloat((pixel shr 8 and 0xFF).toFloat())
        input.putFloat((pixel and 0xFF).toFloat())
    }
    input.rewind()
    return input
}

fun loadModel(context: Context): Interpreter {
    val bytes = context.assets.open("model.tflite").use { it.readBytes() }
    val model = ByteBuffer.allocateDirect(bytes.size).order(ByteOrder.nativeOrder())
    model.put(bytes)
    model.rewind()
    return Interpreter(model)
}
