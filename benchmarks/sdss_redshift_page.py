NETWORK, TUNED, BOOSTED, FOREST = "network", "XGBoost, tuned", "XGBoost", "random forest"
LEVELS = (0.025, 0.16, 0.5, 0.84, 0.975)
Folds = write_page = None
