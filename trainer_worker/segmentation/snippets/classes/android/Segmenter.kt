// build.gradle.kts: dependencies { implementation("com.google.ai.edge.litert:litert:1.4.2") }
// Put model.tflite into app/src/main/assets/, this file and ModelInput.kt beside your code.
import android.content.Context
import android.graphics.Bitmap

/** For one thread at a time; not the main one, for which a photo takes too long. */
class Segmenter(context: Context) : AutoCloseable {
    private val interpreter = loadModel(context)

    /** The class of each pixel, by row and column: its line in labels.txt, counted from 0. */
    fun segment(picture: Bitmap): Array<IntArray> {
        val output = Array(1) { Array(SIDE) { Array(SIDE) { FloatArray(__LABELS__) } } }
        interpreter.run(toInput(picture), output)
        return Array(SIDE) { y -> IntArray(SIDE) { x -> output[0][y][x].indices.maxByOrNull { output[0][y][x][it] }!! } }
    }

    override fun close() = interpreter.close()
}
