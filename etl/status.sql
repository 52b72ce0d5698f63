-- One row per source, those that only ever failed too: its last run, how far it is known, and what of it got in.
select
    named.source,
    sources.kind,
    sources.as_of,
    sources.is_sample,
    last_run.finished_at as last_run,
    last_run.outcome,
    last_run.message,
    known.newest_incident,
    coalesce(known.incidents, 0) as incidents,
    taken_in.rows_in,
    taken_in.rows_good,
    taken_in.rows_rejected,
    coalesce(found.issues, 0) as issues
from (
    select source
    from sources
    union
    select source
    from refresh_runs
) as named
left join sources
    on named.source = sources.source
left join (
    select
        source,
        arg_max(finished_at, run_id) as finished_at,
        arg_max(outcome, run_id) as outcome,
        arg_max(struct_pack(message := message), run_id).message as message
    from refresh_runs
    group by source
) as last_run
    on named.source = last_run.source
left join (
    select
        source,
        max(opened_at) as newest_incident,
        count(*) as incidents
    from incidents
    group by source
) as known
    on named.source = known.source
left join (
    select
        source,
        sum(rows_in)::bigint as rows_in,
        sum(rows_good)::bigint as rows_good,
        sum(rows_rejected)::bigint as rows_rejected
    from store.inputs
    group by source
) as taken_in
    on named.source = taken_in.source
left join (
    select
        source,
        count(*) as issues
    from data_issues
    group by source
) as found
    on named.source = found.source
order by named.source;
