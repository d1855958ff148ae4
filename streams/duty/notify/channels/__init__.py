"""Channels: how a message reaches an officer, each in its service's own form.

A channel's module is pure where it speaks (`request` makes what is sent, `read` says what an answer means); one
shell (`http`, `mail`) sends it.
"""
