-- What nodes hold that control does not know of, as they said it last: a control that was brought back from a backup knows less than they do.
-- Nothing is removed because of it; staff are told.
create function node_strays() returns jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    select coalesce(jsonb_agg(n.name || ': ' || s.stray order by n.name, s.stray), '[]')
      from node n, jsonb_array_elements_text(coalesce(n.health->'strays', '[]')) s (stray)
$$;
grant execute on function node_strays() to husorden_system;
