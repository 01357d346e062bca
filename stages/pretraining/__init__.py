"""Pre-training of encoders: tasks, labelled faces and speech, augmentation."""
