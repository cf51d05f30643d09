"""From nothing to a prediction: python example.py FOLDER PICTURE, with the folder as the server sees it."""

import os
import sys

from tfmodel_client import Client, TFModelError


def main(folder: str, picture: str) -> None:
    server = os.environ.get("TFMODEL_SERVER", "http://127.0.0.1:2333")
    with Client(server, token=os.environ.get("TFMODEL_TOKEN", "")) as tfmodel:
        task = tfmodel.wait(tfmodel.submit("7", "42", folder, "classification").task_id)
        if task.state != "done":
            sys.exit(f"The task is {task.state}: {task.error}")
        print(f"accuracy: {task.metrics['accuracy']:.3f}")
        (seen,) = tfmodel.predict(picture, task_id=task.task_id).predictions
        print(f"{seen.name}: {seen.label} ({seen.probability:.2f})")
        print("model:", *tfmodel.download(task.task_id, "model", names=["model.tflite"]))


try:
    main(*sys.argv[1:3])
except TFModelError as error:
    sys.exit(str(error))
