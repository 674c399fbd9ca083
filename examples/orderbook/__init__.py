"""What examples/orders.py works with: orders, the file they come from, and the world outside.

model    orders, outcomes, and why an order is refused
reading  the CSV file; a row that does not fit is one sentence
world    stock, payments and parcels: a SQLite file in place of the services of a real shop
make     writes orders.csv anew, the same each time
"""
