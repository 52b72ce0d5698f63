-- One row: what a mean over the finished ones says of the incidents that were opened.
with opened as (
    select
        -- what is read
    from main.incidents as i
    where ($since::date is null or i.opened_on >= $since)
        and ($until::date is null or i.opened_on <= $until)
        -- and the filters
)
select
    -- the calls
from opened as i;
