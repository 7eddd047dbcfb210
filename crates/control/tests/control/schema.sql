-- The shape of the database as PostgreSQL itself tells it: a line a fact, in an order that does not depend on when a thing was made.
with rel as (
    select c.oid, c.relname::text as name, c.relkind, c.reloptions, c.relacl, c.relowner, c.relrowsecurity, c.relforcerowsecurity
    from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and c.relname <> '_sqlx_migrations'
), grants as (
    select rel.name, 6 as rank, a.grantee::regrole::text as who, lower(string_agg(a.privilege_type, ', ' order by a.privilege_type)) as what
    from rel cross join lateral aclexplode(rel.relacl) a
    where a.grantee <> rel.relowner group by 1, 2, 3
), column_grants as (
    select rel.name, a.grantee::regrole::text as who, lower(a.privilege_type) as verb, string_agg(c.attname, ', ' order by c.attname) as columns
    from rel join pg_attribute c on c.attrelid = rel.oid and not c.attisdropped cross join lateral aclexplode(c.attacl) a
    where a.grantee <> rel.relowner group by 1, 2, 3
), routine as (
    select p.oid, p.oid::regprocedure::text as name, p.proowner, p.proacl, p.prosecdef, p.provolatile, p.proconfig,
           pg_get_function_result(p.oid) as result, l.lanname
    from pg_proc p join pg_language l on l.oid = p.prolang
    where p.pronamespace = 'public'::regnamespace
), fact as (
    select 'relation' as sort, name, 0 as rank, 0 as place, concat_ws(' ',
               case relkind when 'r' then 'table' when 'p' then 'partitioned table' when 'v' then 'view'
                            when 'm' then 'materialized view' when 'f' then 'foreign table' else 'sequence' end,
               name, case when relrowsecurity then 'row level security' end, case when relforcerowsecurity then 'forced' end,
               array_to_string(reloptions, ' ')) as line
    from rel
    union all
    select 'relation', rel.name, 1, c.attnum, concat_ws(' ', '  column', c.attname, format_type(c.atttypid, c.atttypmod),
               case when c.attnotnull then 'not null' end, 'default ' || pg_get_expr(d.adbin, d.adrelid),
               case when c.attidentity <> '' then 'identity' end)
    from rel join pg_attribute c on c.attrelid = rel.oid and c.attnum > 0 and not c.attisdropped
             left join pg_attrdef d on d.adrelid = rel.oid and d.adnum = c.attnum
    where rel.relkind <> 'S'
    union all
    select 'relation', rel.name, 2, 0, concat_ws(' ', '  constraint', c.conname, pg_get_constraintdef(c.oid))
    from rel join pg_constraint c on c.conrelid = rel.oid where c.contype in ('c', 'f', 'p', 'u', 'x')
    union all
    select 'relation', rel.name, 3, 0, '  ' || pg_get_indexdef(i.indexrelid)
    from rel join pg_index i on i.indrelid = rel.oid
    where not exists (select from pg_constraint c where c.conindid = i.indexrelid and c.contype in ('p', 'u', 'x'))
    union all
    select 'relation', rel.name, 4, 0, concat_ws(' ', '  policy', p.policyname, lower(p.permissive), 'for', lower(p.cmd), 'to', array_to_string(p.roles, ', '),
               'using ' || regexp_replace(p.qual, '\s+', ' ', 'g'), 'check ' || regexp_replace(p.with_check, '\s+', ' ', 'g'))
    from rel join pg_policies p on p.schemaname = 'public' and p.tablename = rel.name
    union all
    select 'relation', rel.name, 5, 0, '  ' || pg_get_triggerdef(t.oid)
    from rel join pg_trigger t on t.tgrelid = rel.oid where not t.tgisinternal
    union all
    select 'relation', name, 6, 0, format('  grant %s: %s', who, what) from grants
    union all
    select 'relation', name, 7, 0, format('  grant %s: %s (%s)', who, verb, columns) from column_grants
    union all
    select 'routine', name, 0, 0, concat_ws(' ', 'function', name, 'returns', result, lanname,
               case provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end,
               case when prosecdef then 'security definer' end, array_to_string(proconfig, ' '))
    from routine
    union all
    select 'routine', routine.name, 1, 0, format('  grant %s', string_agg(coalesce(nullif(a.grantee, 0)::regrole::text, 'public'), ', '
               order by nullif(a.grantee, 0)::regrole::text))
    from routine cross join lateral aclexplode(coalesce(routine.proacl, acldefault('f', routine.proowner))) a
    where a.grantee <> routine.proowner group by 1, 2
)
select line from fact order by sort, name collate "C", rank, place, line collate "C"
