"""Arithmetic that gives the same bits on every processor.

IEEE 754 prescribes the last bit of +, -, x, / and the square root; nothing prescribes that of e^x, or the order in
which a library sums. So here all is made of those five, one after the other in an order that is written down.
`elementary` is for single numbers, `columns` and `matrices` for arrays. See ADR 0081.
"""
