"""The code of the processes that score exported files. Each loads the runtime for the file and nothing else.

    python -m trainer_worker.exporting.runtimes RUNTIME FD THREADS      RUNTIME: tflite | tensorflow | onnx

Like a user's program, such a process has the runtime but not the code that trained the model. It takes its orders over
the socket FD, whose other end is in trainer_worker/exporting/scoring.py, and ends when that closes.
"""
