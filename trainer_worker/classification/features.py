"""The feature stage: pictures through the frozen backbone.

Three things are kept of each picture. With the feature map in front of the last blocks, those blocks can be fine-tuned
without running the rest again. The pooled features of the last and of earlier layers are for the heads. By a thumbnail,
copies are found.

On a CPU the backbone runs as float32 TFLite (XNNPACK kernels): one interpreter with one thread for each core, one
picture at a time (docs/choices.md, "Features by TFLite, one picture at a time"). Each thread decodes its own pictures,
so no core waits for another one. Where TensorFlow sees a GPU, and for a network of the operator's own that TFLite can't
run, batches go through a tf.function instead.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import queue
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from trainer_worker.backbones.backbone import Backbone
from trainer_worker.backbones.checked_file import read_checked, write_checked
from trainer_worker.classification.variations import PLAIN, Variation
from trainer_worker.pictures.batches import Batching, read_batches
from trainer_worker.pictures.images import Box, PictureReader, UnreadableImageError, read_rgb
from trainer_worker.pictures.likeness import THUMBNAIL_SIDE_PX, thumbnail

GPU_BATCH_SIZE = 64
LOOK_AHEAD_PER_THREAD = 4
#: Each feature of the converted backbone may differ from Keras's by this share of the largest feature, or of 1 if that
#: is larger (docs/choices.md, "Tolerance of the converted backbone").
MAX_CONVERSION_DIFFERENCE = 1e-4
#: Raised when the code computes other features for the same picture, so that old caches are not used.
FEATURES_VERSION = 3

log = logging.getLogger(__name__)


class PictureFeatures(NamedTuple):
    """trunk: float32, the output of the backbone's layer trunk_end; the pooled features if it has none.

    pooled: float32 (f,), the average of each channel of the last layer, then of each early layer.
    thumbnail: (16, 16, 3), values 0 to 255, see likeness.py.
    """

    trunk: np.ndarray
    pooled: np.ndarray
    thumbnail: np.ndarray


#: The features of a file, or why it could not be read.
Outcome = PictureFeatures | UnreadableImageError

#: A file, and which part of its picture to take.
View = tuple[Path, Variation]


class FeatureExtractor:
    """Computes the features of pictures.

    device: "cpu", "gpu", or "cpu_tensorflow" where TFLite can't run the backbone.
    The first extractor for a backbone and an image size converts the backbone, which takes seconds, and leaves the
    file in `cache_dir` for all later ones. That folder may be deleted at any time.
    """

    def __init__(self, backbone: Backbone, image_size: int, threads: int, cache_dir: Path) -> None:
        self.backbone = backbone
        self.image_size = image_size
        self.threads = max(1, threads)
        self._network: Any = None
        self._interpreters: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.device = "gpu" if tf.config.list_physical_devices("GPU") else "cpu"
        if self.device == "cpu":
            try:
                for _ in range(self.threads):
                    self._interpreters.put(_cached_interpreter(backbone, image_size, cache_dir))
                return
            except ConversionError as error:
                if not backbone.is_operators_own:
                    raise
                log.warning("action=backbone.not_converted backbone=%s reason=%r", backbone.name, str(error))
                self.device = "cpu_tensorflow"
        self._network = tf.function(_network(backbone, image_size), reduce_retracing=True, autograph=False)

    @property
    def engine(self) -> str:
        """A name for everything that the features depend on besides the picture."""
        return f"{_name(self.backbone, self.image_size)}_{self.device}_v{FEATURES_VERSION}"

    @functools.cached_property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of a picture's features: trunk, pooled and thumbnail."""
        (features,) = self.of_pictures(np.zeros((1, self.image_size, self.image_size, 3), np.uint8))
        return features.trunk.shape, features.pooled.shape, (THUMBNAIL_SIDE_PX, THUMBNAIL_SIDE_PX, 3)

    def of_files(
        self, reader: PictureReader, paths: Sequence[Path], variations: Sequence[Variation] | None = None
    ) -> Generator[Outcome, None, None]:
        """One outcome for each path, in order. variations: one for each path; None for plain pictures."""
        return self.of_views(reader, zip(paths, variations or [PLAIN] * len(paths), strict=True))

    def of_views(self, reader: PictureReader, views: Iterable[View]) -> Generator[Outcome, None, None]:
        """One outcome for each view, in order.

        Takes views from the iterable when it can begin with them, and so decodes and computes a few pictures ahead of
        the caller; closing the generator stops that.
        """
        if self._network is not None:
            return self._of_views_in_batches(reader, views)
        return self._in_threads(functools.partial(self._of_view, reader), views)

    def of_pictures(self, pictures: np.ndarray) -> Iterator[PictureFeatures]:
        """Features of uint8 RGB pictures (n, S, S, 3), in order."""
        if self._network is not None:
            batches = np.split(pictures, range(GPU_BATCH_SIZE, len(pictures), GPU_BATCH_SIZE))
            return (features for batch in batches for features in self._of_batch(batch))
        return self._in_threads(self._of_picture, pictures)

    def _of_view(self, reader: PictureReader, view: View) -> Outcome:
        path, variation = view
        try:
            picture = read_rgb(reader, path, (self.image_size, self.image_size), variation.box)
        except UnreadableImageError as error:
            return error
        return self._of_picture(picture[:, ::-1] if variation.mirrored else picture)

    def _of_picture(self, picture: np.ndarray) -> PictureFeatures:
        interpreter = self._interpreters.get()
        try:
            # No variable holds the view of the interpreter's memory, because the view must be gone before invoke.
            interpreter.tensor(interpreter.get_input_details()[0]["index"])()[0] = picture
            interpreter.invoke()
            return PictureFeatures(*_outputs(interpreter), thumbnail(picture))
        finally:
            self._interpreters.put(interpreter)

    def _in_threads(self, work: Callable[[Any], Any], items: Iterable[Any]) -> Generator[Any, None, None]:
        waiting: deque[Future[Any]] = deque()
        with ThreadPoolExecutor(self.threads) as pool:
            try:
                for item in items:
                    waiting.append(pool.submit(work, item))
                    if len(waiting) > LOOK_AHEAD_PER_THREAD * self.threads:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _of_views_in_batches(self, reader: PictureReader, views: Iterable[View]) -> Generator[Outcome, None, None]:
        unreadable: dict[int, UnreadableImageError] = {}
        is_mirrored: list[bool] = []

        def boxes() -> Iterator[tuple[Path, Box]]:
            for path, variation in views:
                is_mirrored.append(variation.mirrored)
                yield path, variation.box

        batching = Batching((self.image_size, self.image_size), GPU_BATCH_SIZE, self.threads)
        position = 0
        for indexes, pictures in read_batches(reader, boxes(), batching, unreadable.__setitem__):
            mirrored = np.array([is_mirrored[index] for index in indexes])
            pictures[mirrored] = pictures[mirrored, :, ::-1]
            for index, features in zip(indexes, self._of_batch(pictures), strict=True):
                yield from (unreadable[skipped] for skipped in range(position, index))
                yield features
                position = index + 1
        yield from (unreadable[skipped] for skipped in range(position, len(is_mirrored)))

    def _of_batch(self, pictures: np.ndarray) -> list[PictureFeatures]:
        found = self._network(tf.constant(pictures.astype(np.float32)))
        outputs = [output.numpy() for output in tf.nest.flatten(found)]
        computed = zip(outputs[0], outputs[-1], map(thumbnail, pictures), strict=True)
        return [PictureFeatures(*features) for features in computed]


@functools.lru_cache(maxsize=1)
def kept_extractor(backbone: Backbone, image_size: int, threads: int, cache_dir: Path) -> FeatureExtractor:
    """Kept from task to task: it holds no data of a task, and a website's tasks rarely change backbone or size."""
    return FeatureExtractor(backbone, image_size, threads, cache_dir)


def _outputs(interpreter: Any) -> tuple[np.ndarray, np.ndarray]:
    """Trunk and pooled features. The converter may reorder the outputs; the trunk has more dimensions."""
    tensors = [interpreter.get_tensor(details["index"]) for details in interpreter.get_output_details()]
    tensors.sort(key=lambda tensor: -tensor.ndim)
    return tensors[0][0], tensors[-1][0]


def _network(backbone: Backbone, image_size: int) -> keras.Model:
    """Gives the trunk and the pooled features, or the latter alone if the backbone has no trunk."""
    model = backbone.build(image_size)
    last = keras.layers.GlobalAveragePooling2D()(model.output)
    early = pooled_early(model, backbone)
    pooled = last if early is None else keras.layers.Concatenate()([last, early])
    trunk = [model.get_layer(backbone.trunk_end).output] if backbone.trunk_end else []
    return keras.Model(model.input, [*trunk, pooled])


def cut_at_trunk(network: keras.Model, backbone: Backbone) -> tuple[Any, Any]:
    """The Keras tensors between which a classifier's tail lies: the trunk's maps, and the last layer's pooled features.

    network: built by the backbone.
    """
    pooled = keras.layers.GlobalAveragePooling2D(name="pool")(network.output)
    if backbone.trunk_end:
        return network.get_layer(backbone.trunk_end).output, pooled
    # The "maps" of such a network are its features, and the tail begins behind them.
    return pooled, keras.layers.Identity(name="features")(pooled)


def pooled_early(network: keras.Model, backbone: Backbone) -> Any:
    """The average of each channel of the backbone's early layers, a Keras tensor (n, channels); None if it has none.

    network: built by the backbone.
    """
    pooled = [_averages(network.get_layer(name).output) for name in backbone.early_layers]
    return keras.layers.Concatenate(name="early")(pooled) if pooled else None


def _averages(output: Any) -> Any:
    """The average of each channel of a map (n, h, w, c) or of a sequence of tokens (n, t, c)."""
    of_rank = {3: keras.layers.GlobalAveragePooling1D, 4: keras.layers.GlobalAveragePooling2D}
    return of_rank[len(output.shape)]()(output)


def _name(backbone: Backbone, image_size: int) -> str:
    """A name for what this backbone computes. Its hash covers weights, layers and TensorFlow's version."""
    computed = f"{backbone.weights_sha256} {' '.join(backbone.early_layers)} {backbone.trunk_end} {tf.__version__}"
    key = hashlib.sha256(computed.encode()).hexdigest()
    return f"{backbone.name.replace(':', '-')}_{image_size}px_{key[:16]}"


def cache_file(backbone: Backbone, image_size: int, cache_dir: Path) -> Path:
    """Where the converted backbone lies."""
    return cache_dir / f"{_name(backbone, image_size)}.tflite"


def _cached_interpreter(backbone: Backbone, image_size: int, cache_dir: Path) -> Any:
    path = cache_file(backbone, image_size, cache_dir)
    content = read_checked(path)
    if content is None:
        content = _convert(backbone, image_size)
        # The cache only saves seconds, so a task does not fail if it cannot be written.
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_checked(path, content)
    return _interpreter(content)


def _interpreter(content: bytes) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a notice that the interpreter will move to another package
        interpreter = tf.lite.Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


class ConversionError(RuntimeError):
    """The backbone can't be converted to TFLite, or computes something else there. The message says why."""


def _convert(backbone: Backbone, image_size: int) -> bytes:
    """The backbone as float32 TFLite for one picture, checked against the Keras model on noise.

    Raises ConversionError.
    """
    network = _network(backbone, image_size)
    shape = (1, image_size, image_size, 3)
    signature = [tf.TensorSpec(shape, tf.float32)]
    traced = tf.function(lambda x: network(x, training=False), input_signature=signature, autograph=False)
    # Frozen first, because the converter leaves the weights out if it is given the function itself.
    frozen = convert_variables_to_constants_v2(traced.get_concrete_function())
    picture = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
    try:
        content: bytes = tf.lite.TFLiteConverter.from_concrete_functions([frozen]).convert()
        interpreter = _interpreter(content)
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture)
        interpreter.invoke()
    except (OSError, MemoryError):
        raise
    except Exception as error:  # the converter has errors of its own, and the interpreter raises several kinds
        raise ConversionError(f"TFLite can't run the backbone: {type(error).__name__}: {str(error)[:300]}") from error
    trusted = [output[0].numpy() for output in tf.nest.flatten(traced(picture))]
    pairs = zip(_outputs(interpreter), (trusted[0], trusted[-1]), strict=True)
    difference = max(_difference(converted, expected) for converted, expected in pairs)
    if not difference <= MAX_CONVERSION_DIFFERENCE:
        raise ConversionError(
            f"the converted backbone differs from the Keras one by {difference:.1%} on the same input"
        )
    return content


def _difference(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, as a share of the largest number expected (or of 1); NaN if a number is NaN."""
    return float(np.abs(found - expected).max() / max(1.0, float(np.abs(expected).max())))
