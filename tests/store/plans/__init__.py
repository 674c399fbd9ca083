"""Plans of the statements in a schema of a million rows.

filling     fills the tables, quickly
hot         one table: statement, where it runs, its arguments, the indexes that its plan must use
cold        the statements that need no such line, each with the reason
explaining  prepares a statement as a driver does and reads what PostgreSQL did with it

No planner setting is touched. What a node writes runs behind the opening of its fence, which has one of its own
(decision 4); the full tables are looked at without it, the never analysed ones with it, as they are met.
"""
