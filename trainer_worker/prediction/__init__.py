"""Runs published .tflite files on pictures, for the calls that predict. Each such process loads LiteRT, not TensorFlow.

    python -m trainer_worker.prediction      takes frames on its input and writes frames, see protocol/prediction.py

The front-end starts these processes and imports nothing of them. They end when their input closes.
"""
