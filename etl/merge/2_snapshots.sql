-- One row per row of history; a row that the store has already is not kept again.
create or replace temp table repeated_snapshots as
select staged.rowid as place
from store.snapshots as staged
join store.snapshots as standing
    on staged.source = standing.source
    and staged.incident_id = standing.incident_id
    and staged.version_number = standing.version_number
    and staged.happened_at = standing.happened_at
    and staged.state = standing.state
    and staged.actor is not distinct from standing.actor
    and staged.source_state is not distinct from standing.source_state
    and staged.hold_reason is not distinct from standing.hold_reason
    and staged.priority is not distinct from standing.priority
    and staged.assignment_group is not distinct from standing.assignment_group
    and staged.assignee is not distinct from standing.assignee
    and staged.escalation is not distinct from standing.escalation
where staged.rowid > getvariable('last_snapshot')
    and standing.rowid <= getvariable('last_snapshot');

delete from store.snapshots
where rowid in (select place from repeated_snapshots);
