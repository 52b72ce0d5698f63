-- One row per column of every public table and view, with what it and its table mean.
select
    columns.table_name,
    coalesce(tables.comment, views.comment, '') as table_comment,
    columns.column_name,
    lower(columns.data_type) as type,
    coalesce(columns.comment, '') as comment
from duckdb_columns() as columns
left join duckdb_tables() as tables
    on tables.database_name = columns.database_name
    and tables.schema_name = columns.schema_name
    and tables.table_name = columns.table_name
left join duckdb_views() as views
    on views.database_name = columns.database_name
    and views.schema_name = columns.schema_name
    and views.view_name = columns.table_name
where columns.database_name = current_database()
    and columns.schema_name = 'main'
    and not columns.internal
order by
    columns.table_name <> 'incidents',
    columns.table_name,
    columns.column_index
