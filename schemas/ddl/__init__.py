"""One model of the warehouse's tables and views; statements that make and alter them come from it alone."""
