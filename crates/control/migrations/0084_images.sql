-- The images that servers can be made from now on some node, with what people call them. Which node has them is nobody's to know here.
create function images_known() returns jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select coalesce(jsonb_object_agg(i.name, i.image), '{}')
      from (select distinct on (r->>'name') r->>'name' as name, r->'image' as image
              from node n, jsonb_array_elements(coalesce(n.health->'runtimes', '[]')) r
             where jsonb_typeof(r->'image') = 'object' order by r->>'name', n.name) i
$$;
grant execute on function images_known() to husorden_system;
