-- One row per odd thing that follows from an incident as a whole.
delete from data_issues
using keys
where data_issues.input_id is null
    and data_issues.source = keys.source
    and data_issues.incident_id = keys.incident_id;

insert into data_issues by name
select
    keys.source,
    keys.incident_id,
    found.rule,
    found.field,
    found.value,
    found.message
from (
    select
        *,
        unnest(list_filter(
            [
                case
                    when assigned_at < opened_at
                        then struct_pack(
                            rule := 'before_opened',
                            field := 'assigned_at',
                            value := assigned_at::varchar,
                            message := 'Assigned before it was opened: the time to assign is unknown'
                        )
                end,
                case
                    when acknowledged_at < opened_at
                        then struct_pack(
                            rule := 'before_opened',
                            field := 'acknowledged_at',
                            value := acknowledged_at::varchar,
                            message := 'Acknowledged before it was opened: the time to acknowledge is unknown'
                        )
                end,
                case
                    when first_resolved_at < opened_at
                        then struct_pack(
                            rule := 'before_opened',
                            field := 'first_resolved_at',
                            value := first_resolved_at::varchar,
                            message := 'First resolved before it was opened: the time to first resolution is unknown'
                        )
                end,
                case
                    when resolved_at < opened_at
                        then struct_pack(
                            rule := 'before_opened',
                            field := 'resolved_at',
                            value := resolved_at::varchar,
                            message := 'Resolved before it was opened: the time to resolve is unknown'
                        )
                end,
                case
                    when closed_at < opened_at
                        then struct_pack(
                            rule := 'before_opened',
                            field := 'closed_at',
                            value := closed_at::varchar,
                            message := 'Closed before it was opened'
                        )
                end,
                case
                    when occurred_at > opened_at
                        then struct_pack(
                            rule := 'occurred_after_opened',
                            field := 'occurred_at',
                            value := occurred_at::varchar,
                            message := 'The impact began after it was opened: the time to detect is unknown'
                        )
                end,
                case
                    when acknowledged_at > coalesce(first_resolved_at, resolved_at)
                        then struct_pack(
                            rule := 'acknowledged_after_resolved',
                            field := 'acknowledged_at',
                            value := acknowledged_at::varchar,
                            message := 'Acknowledged after it was resolved, so late bookkeeping: '
                                || 'the time to acknowledge is unknown'
                        )
                end,
                case
                    when opened_at > as_of
                        then struct_pack(
                            rule := 'after_as_of',
                            field := 'opened_at',
                            value := opened_at::varchar,
                            message := 'Opened after the time up to which the source is known'
                        )
                end,
                case
                    when acknowledged_at > as_of
                        then struct_pack(
                            rule := 'after_as_of',
                            field := 'acknowledged_at',
                            value := acknowledged_at::varchar,
                            message := 'Acknowledged after the time up to which the source is known'
                        )
                end,
                case
                    when resolved_at > as_of
                        then struct_pack(
                            rule := 'after_as_of',
                            field := 'resolved_at',
                            value := resolved_at::varchar,
                            message := 'Resolved after the time up to which the source is known'
                        )
                end,
                case
                    when closed_at > as_of
                        then struct_pack(
                            rule := 'after_as_of',
                            field := 'closed_at',
                            value := closed_at::varchar,
                            message := 'Closed after the time up to which the source is known'
                        )
                end,
                case
                    when reported_resolved_at < reopened_at
                        then struct_pack(
                            rule := 'stale_resolved_at',
                            field := 'resolved_at',
                            value := reported_resolved_at::varchar,
                            message := 'The resolve stamp lies before the last reopening: it was not used'
                        )
                end,
                case
                    when state in ('resolved', 'closed') and resolved_at is null
                        then struct_pack(
                            rule := 'resolved_without_stamp',
                            field := 'resolved_at',
                            value := null::varchar,
                            message := 'Resolved, but nothing says when: it is in no KPI counted at resolution'
                        )
                end,
                case
                    when is_only_closed
                        then struct_pack(
                            rule := 'closed_without_resolving',
                            field := 'closed_at',
                            value := closed_at::varchar,
                            message := 'Closed, but nothing says when it was resolved: the time to resolve is unknown'
                        )
                end,
                case
                    when reported_reassignment_count <> counted_reassignment_count
                        then struct_pack(
                            rule := 'counter_disagrees',
                            field := 'reassignment_count',
                            value := reported_reassignment_count || ', and ' || counted_reassignment_count
                                || ' in its history',
                            message := 'The source counts other reassignments than its history tells: '
                                || 'the source was believed'
                        )
                end,
                case
                    when reported_reopen_count <> counted_reopen_count
                        then struct_pack(
                            rule := 'counter_disagrees',
                            field := 'reopen_count',
                            value := reported_reopen_count || ', and ' || counted_reopen_count
                                || ' in its history',
                            message := 'The source counts other reopenings than its history tells: '
                                || 'the source was believed'
                        )
                end,
                case
                    when has_history and not from_creation
                        then struct_pack(
                            rule := 'history_begins_late',
                            field := 'state',
                            value := first_state,
                            message := 'Its history begins after its creation: what came before is unknown'
                        )
                end
            ],
            lambda issue: issue is not null
        )) as found
    from clocks
) as clocks
join keys
    on clocks.key = keys.key;
