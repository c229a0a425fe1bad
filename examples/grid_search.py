"""headstart inside scikit-learn: cross-validation over two pre-trained models. The features are computed once."""

import importlib.util
from pathlib import Path

from sklearn.model_selection import GridSearchCV

import headstart as hs

spec = importlib.util.find_spec("conformal_clip_data")
if spec is None or spec.origin is None:
    raise SystemExit("pip install conformal-clip-data")
photos = Path(spec.origin).parent / "data" / "textile_images" / "simulated"
files = [str(file) for name in ("global", "nominal") for file in sorted((photos / name).glob("*.jpg"))[:40]]
labels = [Path(file).parent.name for file in files]

models = {"model": ["efficientnet_lite0", "efficientnet_lite1"]}
search = GridSearchCV(hs.HeadstartClassifier(), models, cv=3).fit(files, labels)
for parameters, score in zip(search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True):
    print(f"{parameters['model']}: accuracy {score:.3f}")
