"""The engine: owns instances, replays them, writes what their turns change, and has their steps run.

    claimer > orchestrator > intake > happenings > turns > memory | journal > endings > execution
    > dispatcher | timers > store

orchestrator   puts the parts below together; its head has the picture
claimer        looks for what is due and for mail, in batches
intake         how instances come into memory
happenings     what happens to them there: outcomes, timers, messages
turns          from an applied event to its effects, and how instances leave
journal        group commit
execution      one instance: replay, history and mail so far
store          the database
"""
