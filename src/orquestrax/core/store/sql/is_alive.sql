-- Whether this node may still write. In a statement of its own, behind the one that took the fence.
select true from {schema}.nodes where fence = $1 and status = 'alive'
