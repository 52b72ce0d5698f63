-- One row per distinct row of history.
create or replace temp table arrived_snapshots as
select
    $source as source,
    *,
    md5_number_lower(concat_ws(
        '|',
        incident_id,
        version_number,
        happened_at,
        coalesce(actor, ''),
        actor_kind,
        state,
        coalesce(source_state, ''),
        coalesce(hold_reason, ''),
        coalesce(priority, 0),
        coalesce(assignment_group, ''),
        coalesce(assignee, ''),
        coalesce(escalation, -1)
    )) as content_hash
from staged_snapshots;

create or replace temp table standing_snapshots as
select
    snapshots.incident_id,
    snapshots.content_hash
from store.snapshots as snapshots
semi join arrived_snapshots
    on snapshots.source = $source
    and snapshots.incident_id = arrived_snapshots.incident_id;

create or replace temp table fresh_snapshots as
select distinct arrived_snapshots.*
from arrived_snapshots
anti join standing_snapshots
    on arrived_snapshots.incident_id = standing_snapshots.incident_id
    and arrived_snapshots.content_hash = standing_snapshots.content_hash;

insert into store.snapshots by name
select * from fresh_snapshots;
