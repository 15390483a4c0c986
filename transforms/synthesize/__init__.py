"""From accepted classifications to training conversations, and their target formats.

``mapping`` turns one classification into one tool call, ``examples`` assembles the calls of a task
into a conversation, ``targets`` renders it in each requested format and checks the result against
that format's real rules.
"""
