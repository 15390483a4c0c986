"""One package a stage, and beside them the modules that stages share.

Logic lives in plain functions over ``schemas`` types; each stage's ``transforms.py`` only wires it
into Beam. Stages never import one another.
"""
