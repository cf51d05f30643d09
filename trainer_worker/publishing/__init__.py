"""From a trained model to its folder: records, app pack, model card."""
