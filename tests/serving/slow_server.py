"""A server whose engine takes so many seconds for a batch, or fails: ENGINE_SECONDS PORT.

Run as a part of the command line, so that it does without TensorFlow. A text of "die" ends the
computing thread.
"""

import sys
import time

from keras_bert_zh.serving.address import bound
from keras_bert_zh.serving.options import Options
from keras_bert_zh.serving.run import run
from keras_bert_zh.serving.served_model import ServedModel

folder, seconds, port = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])


class Slow(ServedModel):
    def compute(self, rows):
        if any(len(row["input_ids"]) == 7 for row in rows):
            raise SystemExit("the engine is gone")
        print("computes", len(rows), flush=True)
        time.sleep(seconds)
        return super().compute(rows)


assert "tensorflow" not in sys.modules
options = Options(name="slow", timeout=20.0, queue_tokens=64)
run([Slow(folder)], options, bound("127.0.0.1", port))
assert "tensorflow" not in sys.modules
