"""Sleep staging from polysomnography as scikit-learn pipelines."""
