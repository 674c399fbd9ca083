"""The nouns of the engine as frozen values: no behaviour with effects, no database, no clock.

options     what a user sets on a workflow or a step
states      the statuses of an instance and their legal transitions
commands    what workflow code asks for
events      what has happened: the rows of a history
rows        instances, messages and nodes as the store hands them out

Times are integers: microseconds since the Unix epoch, by the database's clock. Durations are seconds (float).
Payloads are the exact bytes that were encoded (JSON in UTF-8); nothing here decodes them.
"""
