-- One row per odd thing that was found while reading an input.
delete from data_issues
where source = $source
    and input_id = $input_id;

insert into data_issues by name
select distinct
    $source as source,
    $input_id as input_id,
    staged_issues.*
from staged_issues;
