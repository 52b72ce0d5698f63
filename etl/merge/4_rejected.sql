-- One row per row of an input that did not get in; the same input loaded again brings the same ones.
delete from rejected_rows
where source = $source
    and input_id = $input_id;

insert into rejected_rows by name
select
    $source as source,
    $input_id as input_id,
    $fetched_at::timestamp as rejected_at,
    staged_rejected.*
from staged_rejected;
