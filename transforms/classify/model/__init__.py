"""The model as classifier: any OpenAI-compatible endpoint, asked once, checked, and doubted.

Reading order: ``evidence`` and ``fence`` (what is said of a segment) → ``requests``, ``schema`` and
``forms`` (how it is asked) → ``asking`` (until an answer is usable) → ``replies`` over ``cache``
and ``client`` (how an answer is got, and never paid twice) → ``answers`` and ``confidence`` (what
it is worth) → ``classifier``. ``window`` runs it in Beam; ``annotate`` and ``segmenting`` ask other
things in the same way.
"""
