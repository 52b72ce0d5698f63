-- One row per run and source, newest first.
select *
from main.refresh_runs
order by
    run_id desc,
    source
limit $limit;
