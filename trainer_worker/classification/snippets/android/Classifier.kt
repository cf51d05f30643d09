// build.gradle.kts: dependencies { implementation("com.google.ai.edge.litert:litert:1.4.2") }
// Put model.tflite and labels.txt into app/src/main/assets/, this file and ModelInput.kt beside your code.
import android.content.Context
import android.graphics.Bitmap

/** For one thread at a time; not the main one, for which a photo takes too long. */
class Classifier(context: Context) : AutoCloseable {
    private val labels = context.assets.open("labels.txt").bufferedReader().use { it.readLines() }
    private val interpreter = loadModel(context)

    /** Each label with its probability, the likeliest first. Of answers with 0.8, about 8 in 10 are right. */
    fun classify(picture: Bitmap): List<Pair<String, Float>> {
        val output = Array(1) { FloatArray(__LABELS__) }
        interpreter.run(toInput(picture), output)
        return labels.zip(output[0].toList()).sortedByDescending { it.second }
    }

    override fun close() = interpreter.close()

    companion object {
        private const val UNKNOWN_BELOW = __UNKNOWN__f

        /** What to show for the answer of `classify`: its likeliest label, or "unknown" if none is likely enough. */
        fun labelToShow(answer: List<Pair<String, Float>>): String =
            if (answer[0].second < UNKNOWN_BELOW) "unknown" else answer[0].first
    }
}
