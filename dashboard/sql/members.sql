-- One row per member of the columns that everything is filtered by, the most frequent first.
select
    dimension,
    member
from store.members
order by
    incidents desc,
    member;
