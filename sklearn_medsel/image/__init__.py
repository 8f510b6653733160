"""Images: read from a column of a table, and turned into features."""

from sklearn_medsel.image._cache import ImageCache
from sklearn_medsel.image._column import read_images
from sklearn_medsel.image._encoder import ImageEncoder
from sklearn_medsel.image._texture import texture_features

__all__ = ["ImageCache", "ImageEncoder", "read_images", "texture_features"]
