-- One row per row of history; a row that the store has already is not added again.
create or replace temp table standing_snapshots as
select snapshots.* exclude (source)
from store.snapshots as snapshots
semi join staged_snapshots
    on snapshots.source = $source
    and snapshots.incident_id = staged_snapshots.incident_id;

delete from staged_snapshots
using standing_snapshots as standing
where staged_snapshots.incident_id = standing.incident_id
    and staged_snapshots.version_number = standing.version_number
    and staged_snapshots.happened_at = standing.happened_at
    and staged_snapshots.state = standing.state
    and staged_snapshots.actor is not distinct from standing.actor
    and staged_snapshots.source_state is not distinct from standing.source_state
    and staged_snapshots.hold_reason is not distinct from standing.hold_reason
    and staged_snapshots.priority is not distinct from standing.priority
    and staged_snapshots.assignment_group is not distinct from standing.assignment_group
    and staged_snapshots.assignee is not distinct from standing.assignee
    and staged_snapshots.escalation is not distinct from standing.escalation;

insert into store.snapshots by name
select
    $source as source,
    *
from staged_snapshots;
