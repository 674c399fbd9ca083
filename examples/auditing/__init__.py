"""What examples/audit.py works with: installed distributions, what their RECORDs promise, and the report.

model        what is found, as values
environment  where an environment keeps its distributions
record       the file RECORD: its lines, where they point to, what their hashes are
checking     one distribution against its RECORD
strays       files that no RECORD lists
licences     under what a distribution may be used
report       JSON and HTML; template.html is the page
program      the command line: starts or resumes an audit, shows how far it is, asks for the decision
"""
