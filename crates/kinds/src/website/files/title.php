<?php
// Says what a page is known again by.
function say_page(int $status, string $text): void
{
    $title = '';
    if (preg_match('~<title[^>]*>(.*?)</title>~is', substr($text, 0, 1 << 20), $found)) {
        $title = trim(preg_replace('/[\x00-\x20\x7f]+/', ' ', html_entity_decode($found[1], ENT_QUOTES | ENT_HTML5, 'UTF-8')));
    }
    echo "word\tpage.status\t$status\nword\tpage.title\t", mb_strcut(mb_scrub($title, 'UTF-8'), 0, 300, 'UTF-8'), "\n";
}
