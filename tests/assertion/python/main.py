import json
import sys

from snippet import person

for line in sys.stdin:
    try:
        print(json.dumps({"sub": person(line.rstrip("\n"))["sub"]}))
    except Exception as error:
        print(json.dumps({"refused": f"{type(error).__name__}: {error}"}))
