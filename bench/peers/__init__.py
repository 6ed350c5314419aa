"""What ours is measured against: the same seven endpoints on other stacks, each as its own documentation has it.

They run from an environment of their own (requirements.in), one process each, and share nothing with the service.
"""
