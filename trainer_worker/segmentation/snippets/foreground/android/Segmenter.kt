// build.gradle.kts: dependencies { implementation("com.google.ai.edge.litert:litert:1.4.2") }
// Put model.tflite into app/src/main/assets/, this file and ModelInput.kt beside your code.
import android.content.Context
import android.graphics.Bitmap
import android.graphics.Color

/** For one thread at a time; not the main one, for which a photo takes too long. */
class Segmenter(context: Context) : AutoCloseable {
    private val interpreter = loadModel(context)

    /** The mask, SIDE x SIDE: white where foreground is, transparent elsewhere. */
    fun segment(picture: Bitmap): Bitmap {
        val output = Array(1) { Array(SIDE) { Array(SIDE) { FloatArray(1) } } }
        interpreter.run(toInput(picture), output)
        val mask = Bitmap.createBitmap(SIDE, SIDE, Bitmap.Config.ARGB_8888)
        for (y in 0 until SIDE) {
            for (x in 0 until SIDE) {
                if (output[0][y][x][0] > __THRESHOLD__f) mask.setPixel(x, y, Color.WHITE)
            }
        }
        return mask
    }

    override fun close() = interpreter.close()
}
