"""`python -m tests.process.tflite_predictions MODEL PICTURES.npy`: prints the model's outputs as JSON.

A process of its own, as a website's would be: the tests themselves stay free of TensorFlow.
MODEL: a .tflite file that takes float32 (1, S, S, 3). PICTURES.npy: uint8 (n, S, S, 3), RGB.
"""

from __future__ import annotations

import json
import sys

import numpy as np
import tensorflow as tf


def main() -> None:
    model, pictures = sys.argv[1:]
    interpreter = tf.lite.Interpreter(model, num_threads=1)
    interpreter.allocate_tensors()
    inputs, outputs = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    rows = []
    for picture in np.load(pictures):
        interpreter.set_tensor(inputs["index"], picture[np.newaxis].astype(np.float32))
        interpreter.invoke()
        rows.append(interpreter.get_tensor(outputs["index"])[0].tolist())
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
