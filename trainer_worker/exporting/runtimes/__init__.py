"""What runs an exported file, and nothing else: the insides of the processes that score the exports.

    python -m trainer_worker.exporting.runtimes RUNTIME FD THREADS      RUNTIME: tflite | tensorflow | onnx

A user's program has the runtime but not the code that trained the model; nor does such a process. It is spoken to
over the socket FD (trainer_worker/exporting/scoring.py has the other end) and ends with it.
"""
