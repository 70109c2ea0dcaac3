"""Where the built files are: in a test's runfiles, or below bazel-bin when run by hand."""
import os

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def built(path):
    """The absolute path of a built or committed file, as in "services/fermatad/fermatad"."""
    places = [os.environ.get("FERMATA_BUILD", ""), os.getcwd(), os.path.join(ROOT, "bazel-bin"), ROOT]
    for place in places:
        found = os.path.join(place, path)
        if place and os.path.exists(found):
            return os.path.abspath(found)
    raise FileNotFoundError("%s was not built; looked in %s" % (path, ", ".join(filter(None, places))))
