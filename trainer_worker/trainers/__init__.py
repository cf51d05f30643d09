"""The trainers: one flat module per trainType, each with a `train(job, reporter) -> TrainingResult`."""
