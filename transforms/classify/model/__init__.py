"""The model as classifier: any OpenAI-compatible endpoint, asked once, checked, and doubted.

Reading order: ``evidence`` (what is said of a segment) → ``requests`` and ``schema`` (how it is
asked) → ``replies`` over ``cache`` and ``client`` (how an answer is got, and never paid twice) →
``answers`` and ``confidence`` (what it is worth) → ``classifier``. ``window`` runs it in Beam.
"""
